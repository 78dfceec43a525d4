// What can be done with a message. Nothing is ever overwritten: each change is a sibling.
import { notice } from "./dom.js";

/** - chat: the view whose conversation and tree these act upon. */
export function messageActions(chat) {
  const redraw = () => {
    chat.changed();
    chat.draw();
  };
  return {
    choose(node) {
      chat.tree.choose(node);
      redraw();
    },
    edit(node, text) {
      if (chat.refusesWhileBusy()) return;
      const { role, parent, model } = node;
      const more = role === "assistant" ? { model, edited: true } : {};
      const made = chat.tree.add(parent, { role, content: text, ...more });
      if (role === "user" && chat.conversation.mode === "chat") chat.answer(made);
      else redraw();
      chat.focusNode(made);
    },
    again(node) {
      if (!chat.refusesWhileBusy()) chat.answer(chat.tree.node(node.parent) ?? null);
    },
    remove(node) {
      if (chat.refusesWhileBusy()) return;
      const undo = chat.tree.remove(node);
      redraw();
      chat.composer.focus();
      const run = () => {
        undo();
        redraw();
      };
      notice("Deleted.", { action: { label: "Undo", run } });
    },
    /** Goes on from a token with another one in its place. */
    branch(node, index, text) {
      if (chat.refusesWhileBusy()) return;
      const before = node.tokens.slice(0, index);
      const prefix = before.map((token) => token[0]).join("");
      if (!node.content.startsWith(prefix)) {
        return notice("This token begins within a character; choose another one.");
      }
      const taken = node.tokens[index][2].find(([other]) => other === text);
      const tokens = [...before, [text, taken?.[1] ?? null, node.tokens[index][2]]];
      const { model } = node;
      const made = chat.tree.add(node.parent, {
        role: "assistant",
        model,
        edited: true,
        tokens,
        content: prefix + text,
      });
      chat.answer(made);
    },
    /** Asks again for an answer that was refused, as plain text. */
    asText(node) {
      chat.conversation.mode = "text";
      chat.panel.show(chat.conversation);
      const parent = chat.tree.node(node.parent) ?? null;
      chat.tree.remove(node);
      chat.answer(parent);
    },
  };
}
