import type { Composites } from "../use.ts";
import { attention as contribAttention, multiHeadAttention } from "./contrib.ts";
import { contribRotaryEmbedding, rotaryEmbedding } from "./rotary.ts";
import { attention } from "./standard.ts";

/** Attention, and the rotation of what it takes by position. */
export const attentions: Composites = {
  Attention: attention,
  RotaryEmbedding: rotaryEmbedding,
  "com.microsoft:Attention": contribAttention,
  "com.microsoft:MultiHeadAttention": multiHeadAttention,
  "com.microsoft:RotaryEmbedding": contribRotaryEmbedding,
};
