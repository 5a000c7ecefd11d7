"""From a fine-tuned model to a bundle: the only place for torch, transformers, optimum and onnx, imported lazily."""
