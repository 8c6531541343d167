// Package attribution says what of an image, or where in it, a score comes from:
// gradients, integrated and smoothed gradients, class activation maps, and methods
// that only look at scores, behind one request and one result.
//
//	e := attribution.New(engine, net)
//	results, err := e.Explain(ctx, x, attribution.Request{Method: attribution.GradCAM})
//	plane := results[0].Plane() // for display
//
// Every Method documents its formula, source, sign and assumptions. An error names
// the layer that a method cannot go through. The package knows nothing of files and
// draws nothing.
package attribution
