"""What strategies of GPUs share: the GPU side of a view as arrays, and who waits for GPUs."""
