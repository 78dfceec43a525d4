"""The tiny checkpoints: `config.json` of each, in the layout of published checkpoints unless marked `modern`."""

BASE = {"hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 256,
        "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False, "rope_scaling": None}


def shape(vocab, hidden, ffn, layers, heads, kv, **more):
    return {"vocab_size": vocab, "hidden_size": hidden, "intermediate_size": ffn, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": kv} | more


LLAMA = BASE | {"architectures": ["LlamaForCausalLM"], "model_type": "llama",
                "attention_bias": False, "mlp_bias": False}
MISTRAL = BASE | {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": None}
QWEN2 = BASE | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rms_norm_eps": 1e-6,
                "rope_theta": 1000000.0, "use_sliding_window": False, "sliding_window": 64, "max_window_layers": 2}
QWEN3 = QWEN2 | {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": False}
GEMMA = {"hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
         "max_position_embeddings": 256, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
         "attention_bias": False, "sliding_window": 16}
GEMMA2 = GEMMA | {"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2",
                  "attn_logit_softcapping": 2.5, "final_logit_softcapping": 9.0}
GEMMA3 = GEMMA | {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "rope_theta": 1000000.0,
                  "rope_local_base_freq": 10000.0, "rope_scaling": None,
                  "attn_logit_softcapping": None, "final_logit_softcapping": None}
PHI3 = BASE | {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "attention_bias": False,
               "original_max_position_embeddings": 256, "sliding_window": None, "pad_token_id": 0}
GPT2 = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5, "n_positions": 256, "n_ctx": 256, "bos_token_id": 1, "eos_token_id": 2,
        "attn_pdrop": 0.1, "embd_pdrop": 0.1, "resid_pdrop": 0.1, "initializer_range": 0.02}

LONGROPE4 = {"type": "longrope", "short_factor": [1.0, 1.15, 1.4, 1.9], "long_factor": [1.1, 2.0, 5.5, 14.0]}
LONGROPE6 = {"type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.5, 1.8, 2.2],
             "long_factor": [1.0, 1.6, 3.0, 6.0, 11.0, 20.0]}

CHECKPOINTS = {
    "llama-plain": {"config": LLAMA | shape(131, 36, 56, 2, 6, 2)},
    "llama-rows32": {"config": LLAMA | shape(67, 64, 96, 2, 4, 2, tie_word_embeddings=True)},
    "llama-llama3-rope": {"dtype": "BF16", "config": LLAMA | shape(
        97, 64, 80, 2, 4, 2, rope_theta=500000.0, max_position_embeddings=512,
        rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                      "original_max_position_embeddings": 64})},
    "llama-tied": {"dtype": "BF16", "config": LLAMA | shape(
        263, 36, 60, 3, 9, 3, rope_theta=100000.0, tie_word_embeddings=True)},
    "llama-linear-rope": {"dtype": "F16", "config": LLAMA | shape(
        67, 60, 80, 2, 3, 3, rope_scaling={"type": "linear", "factor": 4.0})},
    "llama-yarn": {"dtype": "F16", "config": LLAMA | shape(
        67, 32, 48, 2, 2, 1, max_position_embeddings=256,
        rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64})},
    "llama-bias": {"config": LLAMA | shape(67, 32, 48, 2, 8, 1, attention_bias=True, mlp_bias=True)},
    "llama-head-dim": {"config": LLAMA | shape(67, 32, 40, 2, 4, 2, head_dim=24)},
    "llama-modern": {"dtype": "BF16", "modern": True, "config": LLAMA | shape(
        67, 32, 48, 2, 4, 2, rope_theta=20000.0)},
    "mistral-window": {"config": MISTRAL | shape(67, 36, 48, 2, 6, 2, sliding_window=16)},
    "mistral-full": {"dtype": "BF16", "config": MISTRAL | shape(131, 32, 64, 2, 4, 2, head_dim=20)},
    "qwen2-tied": {"config": QWEN2 | shape(131, 48, 64, 2, 6, 2, tie_word_embeddings=True)},
    "qwen2-window": {"dtype": "BF16", "config": QWEN2 | shape(
        67, 36, 56, 3, 3, 1, use_sliding_window=True, sliding_window=16, max_window_layers=1)},
    "qwen3-tied": {"config": QWEN3 | shape(131, 32, 48, 2, 4, 2, head_dim=16, tie_word_embeddings=True)},
    "qwen3-untied": {"dtype": "BF16", "config": QWEN3 | shape(67, 40, 64, 2, 8, 1, head_dim=8)},
    "gemma2": {"config": GEMMA2 | shape(67, 32, 48, 2, 4, 2, head_dim=16, query_pre_attn_scalar=12)},
    "gemma3": {"config": GEMMA3 | shape(
        67, 36, 48, 3, 4, 1, head_dim=8, query_pre_attn_scalar=6, sliding_window_pattern=3)},
    "gemma3-scaled-rope": {"dtype": "BF16", "config": GEMMA3 | shape(
        67, 32, 48, 3, 2, 1, head_dim=16, query_pre_attn_scalar=16, rope_scaling={"rope_type": "linear", "factor": 8.0},
        layer_types=["sliding_attention", "full_attention", "sliding_attention"])},
    "gemma3-six-layers": {"dtype": "BF16", "config": GEMMA3 | shape(
        67, 32, 32, 6, 4, 1, head_dim=8, query_pre_attn_scalar=8, sliding_window_pattern=6,
        max_position_embeddings=512)},
    "phi3-plain-window": {"config": PHI3 | shape(67, 32, 48, 2, 4, 4, sliding_window=16)},
    "phi3-longrope-short": {"dtype": "BF16", "config": PHI3 | shape(
        67, 48, 56, 2, 6, 3, max_position_embeddings=1024, rope_scaling=LONGROPE4)},
    "phi3-longrope-long": {"lengths": (40, 150), "config": PHI3 | shape(
        67, 32, 48, 2, 4, 4, original_max_position_embeddings=32, max_position_embeddings=512,
        rope_scaling=LONGROPE4)},
    "phi3-partial-rotary": {"dtype": "BF16", "config": PHI3 | shape(
        131, 48, 64, 2, 3, 1, partial_rotary_factor=0.75, tie_word_embeddings=True, max_position_embeddings=2048,
        rope_scaling=LONGROPE6)},
    "gpt2": {"config": GPT2 | {"vocab_size": 131, "n_embd": 24, "n_layer": 2, "n_head": 3}},
    "gpt2-bare-names": {"dtype": "F16", "bare": "transformer.", "config": GPT2 | {
        "vocab_size": 67, "n_embd": 40, "n_layer": 2, "n_head": 2, "n_inner": 72}},
    # Too large to keep: rows of 256 for the formats with blocks of 256, built when they are quantized.
    "llama-rows256": {"dtype": "BF16", "unkept": True, "config": LLAMA | shape(
        67, 256, 256, 1, 8, 1, tie_word_embeddings=True)},
}
