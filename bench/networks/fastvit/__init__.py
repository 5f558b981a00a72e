"""FastViT (Vasu et al. 2023): its plan, its operators, its modules and how they fold."""
