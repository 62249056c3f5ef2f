"""A language model on other machines, behind the same port: any server of the OpenAI dialect."""
