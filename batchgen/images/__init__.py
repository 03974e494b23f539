"""What is kept: image bytes arriving, being examined, published, looked after and moved."""
