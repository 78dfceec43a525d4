"""Many continuations at once: prompts of different lengths in one batch, keys and values kept.

Rows are aligned at their right ends; the empty places on the left take no part. Rows that have said <|end|> leave the batch.
"""
import torch
import torch.nn.functional as F

from model import rotate

END = 1


class Batch:
    """The state of some rows: keys and values of every layer, which places are real, how long each row is."""

    def __init__(self, network, rows, limit):
        c = network.config
        self.network, self.width = network, max(map(len, rows))
        self.heads, self.kv, self.head = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        count, total = len(rows), self.width + limit
        self.tokens = torch.full((count, self.width), 2)
        self.real = torch.ones(count, total, dtype=torch.bool)
        for row, ids in enumerate(rows):
            self.tokens[row, self.width - len(ids):] = torch.tensor(ids)
            self.real[row, :self.width - len(ids)] = False
        self.lengths = torch.tensor([len(ids) for ids in rows])
        self.kept = [tuple(torch.zeros(count, self.kv, total, self.head) for _ in range(2)) for _ in network.model.layers]
        self.filled = 0

    def feed(self, tokens):
        """Logits [rows, vocabulary] after `tokens` [rows, count], which follow what was fed before."""
        network, count, new = self.network, tokens.shape[0], tokens.shape[1]
        here = slice(self.filled, self.filled + new)
        places = torch.arange(self.filled, self.filled + new)[None, :] - (self.width - self.lengths)[:, None]
        places = places.clamp(min=0)
        cos, sin = network.cos[places][:, None], network.sin[places][:, None]
        self.filled += new
        mask = self.real[:, None, None, :self.filled].expand(-1, 1, new, -1)
        if new > 1:
            mask = mask & torch.ones(new, self.filled, dtype=torch.bool).tril(self.filled - new)
            mask = mask | torch.eye(new, self.filled, dtype=torch.bool)  # an empty place may look at itself: no NaN
        x = network.model.embed_tokens(tokens)
        for layer, (keys, values) in zip(network.model.layers, self.kept):
            a, y = layer.self_attn, layer.input_layernorm(x)
            q = rotate(a.q_proj(y).view(count, new, self.heads, self.head).transpose(1, 2), cos, sin)
            keys[:, :, here] = rotate(a.k_proj(y).view(count, new, self.kv, self.head).transpose(1, 2), cos, sin)
            values[:, :, here] = a.v_proj(y).view(count, new, self.kv, self.head).transpose(1, 2)
            repeat = self.heads // self.kv
            k = keys[:, :, :self.filled].repeat_interleave(repeat, dim=1)
            v = values[:, :, :self.filled].repeat_interleave(repeat, dim=1)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            x = x + a.o_proj(y.transpose(1, 2).reshape(count, new, -1))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return F.linear(network.model.norm(x[:, -1]), network.model.embed_tokens.weight)

    def keep(self, chosen):
        self.real, self.lengths = self.real[chosen], self.lengths[chosen]
        self.kept = [(k[chosen], v[chosen]) for k, v in self.kept]


@torch.no_grad()
def continuations(network, prompts, limit, temperature=0.0, seed=0, size=256):
    """For each prompt the ids said after it, <|end|> included if it came within `limit` tokens. Greedy at temperature 0."""
    noise, out = torch.Generator().manual_seed(seed), [[] for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for at in range(0, len(order), size):
        chosen = order[at:at + size]
        batch, alive = Batch(network, [prompts[i] for i in chosen], limit), torch.tensor(chosen)
        logits = batch.feed(batch.tokens)
        for _ in range(limit):
            if temperature > 0:
                said = torch.multinomial((logits / temperature).softmax(-1), 1, generator=noise)[:, 0]
            else:
                said = logits.argmax(-1)
            for i, token in zip(alive.tolist(), said.tolist()):
                if out[i][-1:] != [END]:
                    out[i].append(token)
            going = torch.tensor([out[i][-1] != END for i in alive.tolist()]).nonzero()[:, 0]
            if len(going) == 0:
                break
            if len(going) < 0.8 * len(alive):  # rows that have ended stay a little, unheard: leaving costs a copy
                batch.keep(going)
                alive, said = alive[going], said[going]
            logits = batch.feed(said[:, None])
    return out
