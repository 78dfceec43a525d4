"""A model in torch whose projections are changed, and what that costs: shared by activations.py and sensitivities.py. No code of Apus."""

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

WINDOW = 1024


class Subject:
    def __init__(self, folder, text):
        torch.manual_seed(0)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.projections = {name: module for name, module in self.model.model.layers.named_modules() if isinstance(module, torch.nn.Linear)}
        self.weights = {name: module.weight.detach().clone() for name, module in self.projections.items()}
        self.windows = [torch.tensor(window) for window in self.tokens(text).split(WINDOW) if len(window) > 1]
        self.base = [self.scores(window) for window in self.windows]

    def tokens(self, text):
        with open(text, encoding="utf-8") as file:
            return torch.tensor(self.tokenizer(file.read(), add_special_tokens=False)["input_ids"])

    @torch.no_grad()
    def scores(self, window):
        return torch.log_softmax(self.model(window[None]).logits[0].double(), -1)

    @torch.no_grad()
    def divergence(self, change, activations=None):
        """Mean KL from the model itself, its standard error, and how often the likeliest token is the same.

        change(name, weight) gives each projection's weights, activations(x) what it multiplies.
        """
        hooks = []
        for name, module in self.projections.items():
            module.weight.copy_(change(name, self.weights[name]))
            if activations:
                hooks.append(module.register_forward_pre_hook(lambda _, inputs: (activations(inputs[0]),)))
        each, same = [], []
        for window, base in zip(self.windows, self.base):
            scores = self.scores(window)
            each.append((base.exp() * (base - scores)).sum(-1))
            same.append(base.argmax(-1) == scores.argmax(-1))
        for hook in hooks:
            hook.remove()
        for name, module in self.projections.items():
            module.weight.copy_(self.weights[name])
        each, same = torch.cat(each), torch.cat(same)
        return each.mean().item(), (each.std() / len(each) ** 0.5).item(), same.double().mean().item()
