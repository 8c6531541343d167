// Package experiments computes what Zeiler and Fergus measured besides
// projections and occlusion: how features change when an image moves, scales or
// turns (Invariance), whether masking the same part of several images changes
// them alike (Correspond), what is wrong with filters (Diagnose), how features
// come about in training (Evolve), how well linear classifiers do on them
// (Probe, Fit) and on which images they may be tried (Copies), and how active
// layers are (Activity).
//
//	curves, err := experiments.Invariance(ctx, engine, net, x, class, experiments.InvarianceOptions{})
//
// Results are plain structs that go into JSON as they are. The package does not
// draw, read files or train networks (see model/train).
//
// Sources:
//
//	[zeiler14] M. D. Zeiler and R. Fergus, Visualizing and Understanding
//	           Convolutional Networks, ECCV 2014; figures and tables that are only
//	           in arXiv 1311.2901 are named so
//	[fan08]    R.-E. Fan et al., LIBLINEAR: a library for large linear
//	           classification, JMLR 9 (2008)
package experiments
