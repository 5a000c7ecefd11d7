"""The prompts by which a model that writes text chooses a label, as one text or as a chat."""

from collections.abc import Sequence

from .generation import Message

Examples = Sequence[tuple[str, str]]


def as_text(text: str, labels: Sequence[str], examples: Examples = ()) -> str:
    """A text that a label and a line's end follow, for a model that was not trained on chats."""
    shown = "".join(f"Text: {one}\nLabel: {label}\n\n" for one, label in examples)
    return f"{_task(labels)}\n\n{shown}Text: {text}\nLabel:"


def as_chat(text: str, labels: Sequence[str], examples: Examples = ()) -> list[Message]:
    """Messages that the model answers with a label alone; examples are turns that went before.

    The instruction stands in the first message of the user, since not every template has a role for it.
    """
    messages: list[Message] = []
    for one, label in [*examples, (text, "")]:
        task = "" if messages else f"{_task(labels)} Answer with the label alone.\n\n"
        messages += [Message("user", f"{task}Text: {one}"), Message("assistant", label)]
    return messages[:-1]


def _task(labels: Sequence[str]) -> str:
    return f"Choose one of these labels: {', '.join(labels)}."
