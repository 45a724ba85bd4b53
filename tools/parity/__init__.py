"""Small random models, and what diffusers computes with them: the ground truth for layerpipe's parity tests."""
