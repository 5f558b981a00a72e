"""CMT (Guo et al. 2022): its plan, its operators, its modules, how they fold, and its position bias at other sizes."""
