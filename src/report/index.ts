export { report, type ReportOptions } from "./write.ts";
