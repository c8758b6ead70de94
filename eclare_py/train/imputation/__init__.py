"""Labels of documents from labels of groups: EAGLE (Shen, Yu, Sanghavi and Dhillon, ICML 2020)."""
