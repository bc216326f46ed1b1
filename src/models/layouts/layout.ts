/**
 * How an encoder's file names and arranges its tensors: timm's vision transformers; transformers' `CLIPModel` and
 * `Dinov2Model`; open_clip's state dict (OpenAI's names), whole or only its `visual.*` part without the prefix, as
 * RobustVLM saves it.
 */
export type Layout = "timm" | "transformers-clip" | "transformers-dinov2" | "open-clip" | "open-clip-visual";
