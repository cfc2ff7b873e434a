"""What one writes first: FastAPI, one request, one text, one ``predict`` of stock Keras.

.venv/bin/python -m benchmarks.serve_plain MODEL.keras VOCABULARY.json PORT

Not Sentilab's: benchmarks.serve measures beside it. Keras's own preprocessing, Keras on JAX.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    import keras
    import uvicorn
    from fastapi import FastAPI
    from keras.src.legacy.preprocessing.text import text_to_word_sequence
    from pydantic import BaseModel

    model = keras.saving.load_model(sys.argv[1])
    vocabulary = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    index = {word: number for number, word in enumerate(vocabulary["words"], start=4)}
    length = vocabulary["encoding"]["length"]

    class Review(BaseModel):
        text: str

    app = FastAPI()

    # Not "def": Keras's predict fails when several threads call it at once.
    @app.post("/predict")
    async def predict(review: Review) -> dict[str, Any]:
        words = text_to_word_sequence(review.text)
        numbers = [1, *(index.get(word, 2) for word in words)]
        padded = keras.utils.pad_sequences([numbers], maxlen=length)
        answer = model.predict(padded, verbose=0)
        return {"probability": float(answer[0, -1])}

    asyncio.run(predict(Review(text="compiled before the first request")))
    uvicorn.run(app, port=int(sys.argv[3]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
