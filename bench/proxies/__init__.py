"""The proxy score: pictures from anywhere, packed once, and a short training on them."""
