"""A Llama in a few lines: the names of its weights are Hugging Face's, so a checkpoint is its state as it stands."""
import torch
import torch.nn.functional as F
from torch import nn


class Norm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


def rotate(x, cos, sin):
    """Rotation of pairs (i, i + half), as Hugging Face orders them. x: [batch, heads, length, head]."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv, self.head = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        width = c["hidden_size"]
        self.q_proj = linear(width, self.heads * self.head)
        self.k_proj = linear(width, self.kv * self.head)
        self.v_proj = linear(width, self.kv * self.head)
        self.o_proj = linear(self.heads * self.head, width)

    def forward(self, x, cos, sin):
        batch, length, _ = x.shape
        q = rotate(self.q_proj(x).view(batch, length, self.heads, self.head).transpose(1, 2), cos, sin)
        k = rotate(self.k_proj(x).view(batch, length, self.kv, self.head).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(batch, length, self.kv, self.head).transpose(1, 2)
        k = k.repeat_interleave(self.heads // self.kv, dim=1)
        v = v.repeat_interleave(self.heads // self.kv, dim=1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, -1))


class FeedForward(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = linear(c["hidden_size"], c["intermediate_size"])
        self.up_proj = linear(c["hidden_size"], c["intermediate_size"])
        self.down_proj = linear(c["intermediate_size"], c["hidden_size"])

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.mlp = FeedForward(c)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Trunk(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Block(c) for _ in range(c["num_hidden_layers"]))
        self.norm = Norm(c["hidden_size"], c["rms_norm_eps"])


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config = c
        self.model = Trunk(c)
        half = c["head_dim"] // 2
        frequency = c["rope_theta"] ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = torch.arange(c["max_position_embeddings"], dtype=torch.float64)[:, None] * frequency
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)
        nn.init.normal_(self.model.embed_tokens.weight, std=0.02)
        for name, weight in self.named_parameters():
            if weight.ndim == 2 and "embed" not in name:
                closing = "o_proj" in name or "down_proj" in name  # a block starts as the identity
                nn.init.zeros_(weight) if closing else nn.init.normal_(weight, std=weight.shape[1] ** -0.5)

    def features(self, tokens):
        """What the output projection reads: [batch, length, width]."""
        length = tokens.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        x = self.model.embed_tokens(tokens)
        for layer in self.model.layers:
            x = layer(x, cos, sin)
        return self.model.norm(x)

    def forward(self, tokens, targets=None):
        """Mean cross-entropy of `targets` [batch, length], or the logits [batch, length, vocabulary] without them."""
        logits = F.linear(self.features(tokens), self.model.embed_tokens.weight)
        if targets is None:
            return logits
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))

    def summed(self, features, targets, choices=None):
        """Sum of the cross-entropies where `targets` is not negative, among all tokens or only among `choices` (sorted)."""
        learnt = targets >= 0
        x, wanted, weight = features[learnt], targets[learnt], self.model.embed_tokens.weight
        if choices is not None:
            wanted, weight = torch.searchsorted(choices, wanted), weight[choices]
        return F.cross_entropy(F.linear(x, weight), wanted, reduction="sum")


def config(hidden, feed_forward, layers, heads, kv, context=1024, vocabulary=4096):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary,
            "hidden_size": hidden, "intermediate_size": feed_forward, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": kv, "head_dim": hidden // heads,
            "max_position_embeddings": context, "rope_theta": 10000.0, "rms_norm_eps": 1e-5, "hidden_act": "silu",
            "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0, "tie_word_embeddings": True,
            "initializer_range": 0.02, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
            "torch_dtype": "bfloat16", "use_cache": True}


# Widths are multiples of 128 (block formats of 32) and, for `stories`, of 256 (super-block formats of 256).
FAMILY = {
    "stories-draft": config(hidden=128, feed_forward=384, layers=4, heads=4, kv=2),
    "stories": config(hidden=256, feed_forward=768, layers=4, heads=8, kv=4),
    "sums-narrow": config(hidden=128, feed_forward=384, layers=4, heads=4, kv=2),  # what `sums` is grown from
    "sums": config(hidden=256, feed_forward=768, layers=4, heads=8, kv=4),
    "sums-prm": config(hidden=256, feed_forward=768, layers=6, heads=8, kv=4),  # `sums` and two blocks upon it
    "chat": config(hidden=256, feed_forward=768, layers=4, heads=8, kv=4),
}
