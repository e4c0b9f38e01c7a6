"""Chat models: what a name stands for, how they are asked, how they fail, and what they cost."""
