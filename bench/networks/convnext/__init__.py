"""ConvNeXt (Liu et al. 2022): its plan, its operators, its modules and how they fold."""
