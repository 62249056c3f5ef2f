"""One shared LLaMA: scheduler, engine process, client, model registry."""
