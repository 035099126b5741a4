"""What is missing, what people did about it, and what came of it."""
