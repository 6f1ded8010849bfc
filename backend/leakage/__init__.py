"""Has the LLM seen the data set it is measured on? Probes, their statistics, and a report."""
