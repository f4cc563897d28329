"""Pages that answer a question: what sells, who our customers are, how they move, whether they return, who leaves."""
