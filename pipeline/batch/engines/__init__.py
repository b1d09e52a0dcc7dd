"""Where pairs are painted: the engines that a run hands its pairs to."""
