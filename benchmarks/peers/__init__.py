"""What the engine is held against: each peer written the way its users write it."""
