/**
 * The picture of docs/RESULTS.md: accuracy under attack at 1/255 over clean accuracy, a line a method along its blends with the
 * original. `npx tsx scripts/results/picture.ts scripts/results/log.jsonl ENCODER RUN... > docs/results.svg`
 */
import { init, type LineSeriesOption } from "echarts";
import { figureOf, nameOf, readLog, seedsOf } from "./log.ts";

const [path, encoder, ...names] = process.argv.slice(2);
const lines = readLog(path!).filter((line) => line.encoder === encoder);
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"];
const percent = (share: number): number => 100 * share;

const series = names.flatMap((name, i): LineSeriesOption[] => {
  const own = seedsOf(lines.filter((line) => nameOf(line) === name));
  const points = own.map((seeds) => {
    const [clean, attacked] = [figureOf(seeds, "in clean")!, figureOf(seeds, "in 1")!];
    return { weight: seeds[0]!.weight, clean, attacked };
  });
  const color = colours[i % colours.length]!;
  const bars = points.map(({ clean, attacked }) => [
    { coord: [percent(clean.share), percent(attacked.low)], symbol: "none" },
    { coord: [percent(clean.share), percent(attacked.high)], symbol: "none" },
  ]);
  return [
    {
      type: "line",
      name,
      color,
      symbolSize: 8,
      data: points.map(({ clean, attacked, weight }) => ({
        value: [percent(clean.share), percent(attacked.share)],
        label: { show: true, position: "right", fontSize: 10, formatter: weight.toFixed(2).replace(/0$/, "") },
      })),
      markLine: { silent: true, lineStyle: { type: "solid", width: 1, color }, data: bars as never },
    },
  ];
});

const chart = init(null, null, { renderer: "svg", ssr: true, width: 760, height: 460 });
chart.setOption({
  animation: false,
  backgroundColor: "#fff",
  legend: { top: 10, itemGap: 24 },
  grid: { left: 60, right: 40, top: 50, bottom: 50 },
  xAxis: { type: "value", scale: true, name: "clean accuracy, %", nameLocation: "middle", nameGap: 30 },
  yAxis: { type: "value", name: "under attack at 1/255, %", nameLocation: "middle", nameGap: 36 },
  series,
});
process.stdout.write(chart.renderToSVGString());
chart.dispose();
