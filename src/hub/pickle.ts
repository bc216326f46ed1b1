/** Whether a file's name says that Python's pickle wrote it. */
export function isPickle(path: string): boolean {
  return /\.(pt|pth|bin|ckpt|pkl)$/.test(path);
}

const why = "opening a pickle can run any code, so it is not read. Convert it once to safetensors with";

/** Why a local pickle file is refused, and the line that converts it. */
export function pickleRefusal(path: string): string {
  const target = path.replace(/\.[^./\\]+$/, ".safetensors");
  return (
    `${path} is a pickle file: ${why}\n  ${conversion("sys.argv[1]", "sys.argv[2]")} "${path}" "${target}"\n` +
    "and give the new file. (For a TorchScript archive, as OpenAI published CLIP, write " +
    "s = torch.jit.load(sys.argv[1], 'cpu').state_dict() in place of both assignments.)"
  );
}

/**
 * Why a repository without safetensors is refused, and the line that converts it.
 *
 * @param files the names of its files, the largest first
 */
export function pickledRepositoryRefusal(id: string, files: readonly string[]): string {
  const name = id.slice(id.indexOf("/") + 1);
  const transformers = files.includes("config.json") && files.some((file) => file.startsWith("pytorch_model"));
  // A file's name comes from the hub and goes into a line for the shell: only harmless ones do.
  const file = files.find((path) => isPickle(path) && /^[\w.-]+$/.test(path)) ?? "FILE";
  const source = `huggingface_hub.hf_hub_download('${id}', '${file}')`;
  const line = transformers
    ? `python -c "from transformers import AutoModel, AutoProcessor; ` +
      `AutoModel.from_pretrained('${id}').save_pretrained('${name}', safe_serialization=True); ` +
      `AutoProcessor.from_pretrained('${id}').save_pretrained('${name}')"`
    : conversion(source, `'${name}.safetensors'`, "huggingface_hub, ");
  const result = transformers ? `the folder ${name}` : `the file ${name}.safetensors`;
  return `Its weights are pickle files only: ${why}\n  ${line}\nand give ${result}.`;
}

function conversion(source: string, target: string, modules = "sys, "): string {
  return (
    `python -c "import ${modules}torch; from safetensors.torch import save_file; ` +
    `s = torch.load(${source}, map_location='cpu', weights_only=True); s = s.get('state_dict', s); ` +
    `save_file({k: v.clone().contiguous() for k, v in s.items() if torch.is_tensor(v)}, ${target})"`
  );
}
