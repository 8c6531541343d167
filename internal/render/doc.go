// Package render turns numbers into pictures: palettes, heat maps, overlays,
// grids of tiles, top-9 sheets, labelled figures and line charts.
//
// Signed, Unit and Heat make a picture of an array; Grid and BlockSheet lay many
// of them out; Figure puts titles, colour bars and legends around them. The
// rules are those of the project: zero is mid-grey for filters and projections,
// a flat map is one flat colour, a colour bar always has numbers, pixels are
// enlarged by whole numbers without smoothing.
//
// Arguments are image.Image, results are new *image.NRGBA whose bounds begin at
// (0,0). The package knows nothing of networks, files, time or the terminal, and
// equal input gives equal pixels. A caller's mistake (a slice of the wrong
// length) panics; NaN in the data is drawn in magenta, which no palette has.
package render
