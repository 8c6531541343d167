// Package train trains networks: Run takes a model.Network and images and
// returns the trained network. It is the only package that imports gorgonia,
// which carries the graph, the differentiation and the interface of the
// solvers; convolutions, pools and the like are operations of our own on
// internal/kernel (gorgonia's are slow, and several have wrong gradients).
//
//	net, state, err := train.Run(ctx, engine, net, images, test, nil, train.Options{Rate: 1e-4}, train.Hooks{})
//
// Everything random (the order of the images, flips and shifts, dropout, see
// rng.go) is a function of the seed, the step and the place in the batch, so
// that training continued from a checkpoint goes on bit for bit as if it had
// not stopped, with any number of workers. Accuracy is measured by
// model.Engine, with dropout off and the running statistics of batch
// normalisation: another graph than the one that trains.
//
// The package does not read files, print, or look at the clock.
//
// Sources:
//
//	[zeiler14]    M. D. Zeiler and R. Fergus, Visualizing and Understanding
//	              Convolutional Networks, ECCV 2014, section 3.1: training
//	[adam15]      D. P. Kingma and J. Ba, Adam: a method for stochastic
//	              optimization, ICLR 2015 (arXiv 1412.6980), algorithm 1
//	[ioffe15]     S. Ioffe and C. Szegedy, Batch Normalization, ICML 2015
//	              (arXiv 1502.03167), algorithm 1
//	[srivastava14] N. Srivastava et al., Dropout, JMLR 15 (2014)
package train
