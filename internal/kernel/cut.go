package kernel

// productShape is the shape of the products that workers share: so many of panels of
// columns with blocks of rows. Costs are in the time that a row of a panel takes.
type productShape struct {
	count   int // products
	panels  int
	most    int // panels of a task
	blocks  int
	rows    int // of a block
	read    int // cost of a panel that a task reads, beside its rows
	weights int // half the cost of a row of weights that a task reads
	begin   int // half the cost of a task beside
}

// beginSteps is how many steps of the sum of a row of a panel a task takes to begin, about half a microsecond.
const beginSteps = 1000

// unevenWorkers is from how many workers on they are likely not to be of one speed: of more, half may be half as fast.
const unevenWorkers = 5

// cutProduct finds into how many chunks the panels and into how many splits the blocks
// are cut, so that the workers end soonest. Finer cuts read columns or weights more
// often; coarser ones let workers wait. Sums do not depend on it.
func cutProduct(s productShape, workers int) (chunks, splits int) {
	best := 0
	for p := min(s.most, s.panels); p > 0; p-- {
		c := (s.panels + p - 1) / p
		for n, b := 1, s.blocks; ; {
			task := 2*p*(b*s.rows+s.read) + b*s.rows*s.weights + 2*s.begin
			rounds := (s.count*c*n + workers - 1) / workers
			// Workers that are not of one speed wait a part of a task in the end, the larger the more there are.
			if cost := task * (8*rounds + min(workers-1, 8)); best == 0 || cost < best {
				best, chunks, splits = cost, c, n
			}
			if b == 1 {
				break
			}
			n = (s.blocks + b - 2) / (b - 1)
			b = (s.blocks + n - 1) / n
		}
	}
	return chunks, splits
}
