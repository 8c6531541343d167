package tensor

// Box is a half-open rectangle of positions in a plane: rows Y0..Y1-1, columns
// X0..X1-1.
type Box struct{ Y0, X0, Y1, X1 int }

// H returns the number of rows, 0 if the box is empty.
func (b Box) H() int { return max(b.Y1-b.Y0, 0) }

// W returns the number of columns, 0 if the box is empty.
func (b Box) W() int { return max(b.X1-b.X0, 0) }

// Area returns the number of positions.
func (b Box) Area() int { return b.H() * b.W() }

// Empty reports whether the box holds no position.
func (b Box) Empty() bool { return b.Y1 <= b.Y0 || b.X1 <= b.X0 }

// Union returns the smallest box that contains both; empty boxes don't count.
func (b Box) Union(c Box) Box {
	if b.Empty() {
		return c
	}
	if c.Empty() {
		return b
	}
	return Box{min(b.Y0, c.Y0), min(b.X0, c.X0), max(b.Y1, c.Y1), max(b.X1, c.X1)}
}

// Intersect returns the positions in both boxes; the zero Box if there are none.
func (b Box) Intersect(c Box) Box {
	r := Box{max(b.Y0, c.Y0), max(b.X0, c.X0), min(b.Y1, c.Y1), min(b.X1, c.X1)}
	if r.Empty() {
		return Box{}
	}
	return r
}

// Contains reports whether every position of c is in b.
func (b Box) Contains(c Box) bool {
	return c.Empty() || b.Y0 <= c.Y0 && b.X0 <= c.X0 && c.Y1 <= b.Y1 && c.X1 <= b.X1
}

// Shift returns the box moved by dy rows and dx columns.
func (b Box) Shift(dy, dx int) Box {
	return Box{b.Y0 + dy, b.X0 + dx, b.Y1 + dy, b.X1 + dx}
}
