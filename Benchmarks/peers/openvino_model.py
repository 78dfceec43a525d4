"""An OpenVINO model of the shape of a GGUF file: openvino_model.py MODEL-f16.gguf BITS FOLDER

OpenVINO GenAI reads the F16 file and saves it as its own; nncf compresses the weights as OpenVINO's documents recommend: 8 bits by
channel, symmetric, or 4 bits in groups of 128 (64 where a row does not hold whole groups), all layers.
"""
import os, shutil, sys


def tokenizer(folder, size):
    """Bytes and made-up words; only its presence matters."""
    import openvino
    from openvino_tokenizers import convert_tokenizer
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<s>"] + sorted(pre_tokenizers.ByteLevel.alphabet())
    names += [f"word{i}" for i in range(size - len(names))]
    bpe = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="<s>")
    for name, model in zip(("tokenizer", "detokenizer"), convert_tokenizer(wrapped, with_detokenizer=True)):
        openvino.save_model(model, f"{folder}/openvino_{name}.xml")


def main():
    source, bits, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    import nncf, openvino, openvino_genai

    scratch = folder + "-f16"
    os.makedirs(scratch, exist_ok=True)
    link = os.path.join(scratch, "model.gguf")
    if not os.path.exists(link):
        os.symlink(os.path.abspath(source), link)
    if not os.path.exists(scratch + "/openvino_model.bin"):
        try:
            # What is saved is all that is wanted: the vocabulary of made-up words is no tokenizer that it can run.
            openvino_genai.LLMPipeline(link, "CPU", enable_save_ov_model=True)
        except RuntimeError:
            if not os.path.exists(scratch + "/openvino_model.bin"):
                raise
    model = openvino.Core().read_model(scratch + "/openvino_model.xml")
    # [vocabulary, width], the largest constant.
    constants = [n for n in model.get_ops() if n.get_type_name() == "Constant" and len(n.get_output_shape(0)) == 2]
    vocabulary, width = max((list(n.get_output_shape(0)) for n in constants), key=lambda s: s[0] * s[1])
    if bits == 8:
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    else:
        group = 128 if width % 128 == 0 else 64
        model = nncf.compress_weights(
            model, mode=nncf.CompressWeightsMode.INT4_SYM, group_size=group, ratio=1.0, all_layers=True
        )
    part = folder + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    openvino.save_model(model, part + "/openvino_model.xml")
    tokenizer(part, vocabulary)
    with open(part + "/vocabulary", "w") as file:
        file.write(str(vocabulary))
    os.rename(part, folder)
    del model
    shutil.rmtree(scratch)


main()
