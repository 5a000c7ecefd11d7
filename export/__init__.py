"""From a fine-tuned model to a bundle. The only place for torch, transformers, optimum and onnx, all imported lazily."""
