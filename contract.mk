.PHONY: bench-precisions bench-steps bench-accuracy bench-cuda

bench-precisions: install ## size, fidelity and speed of int8, int4, fp32 on MiniLM; safe int8 sums; int4 block sizes
	$(BIN)/python -m benchmarks.precisions 2>/dev/null

bench-steps: install ## int8 with one step for all rows or each row its own, on texts far from calibration too (DATA=folder)
	$(BIN)/python -m benchmarks.steps $(DATA)

bench-accuracy: install ## a fine-tuned model in int8 and int4: MODEL=folder EVAL=file TEST=file [DROP=0.003]
	$(BIN)/python -m benchmarks.accuracy $(MODEL) --eval $(EVAL) --test $(TEST) --max-drop $(or $(DROP),0.003)

bench-cuda: install ## packed fp16 on CUDA beside PyTorch and ONNX Runtime; says what is missing without a GPU
	$(BIN)/python -m benchmarks.cuda
