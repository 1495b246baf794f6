package metric

import "math"

// beside are a pixel's neighbors and their weights.
var beside = []struct {
	down, right int
	weight      float64
}{
	{-1, -1, 1. / 12}, {-1, 0, 1. / 6}, {-1, 1, 1. / 12}, {0, -1, 1. / 6},
	{0, 1, 1. / 6}, {1, -1, 1. / 12}, {1, 0, 1. / 6}, {1, 1, 1. / 12},
}

// impute writes image x with the pixels that are gone replaced. At least one must
// have stayed.
//
// The system of the removed pixels, in the order of rows, is symmetric, positive
// definite and banded: A = L Lᵀ with no entry of L left of A's first entry in its
// row. Solving it directly leaves no residual to bound.
func impute(out, x []float32, gone []bool, noise []float32, height, width, channels int) {
	copy(out, x)
	number := make([]int, len(gone)) // of the unknown at each pixel
	var unknowns []int
	for p, g := range gone {
		if g {
			number[p] = len(unknowns)
			unknowns = append(unknowns, p)
		}
	}
	n := len(unknowns)
	first := make([]int, n)      // column of the first entry of each row of L
	rows := make([][]float64, n) // its entries from there to the diagonal
	right := make([]float64, n*channels)
	for i, p := range unknowns {
		row, column := p/width, p%width
		first[i] = i
		var entries [4]struct {
			column int
			weight float64
		}
		found, sum := 0, 0.0
		for _, b := range beside {
			r, c := row+b.down, column+b.right
			if r < 0 || r >= height || c < 0 || c >= width {
				continue
			}
			q := r*width + c
			sum += b.weight
			switch {
			case !gone[q]:
				for k := range channels {
					right[i*channels+k] += b.weight * float64(x[q*channels+k])
				}
			case q < p: // the upper half follows by symmetry
				entries[found].column, entries[found].weight = number[q], b.weight
				first[i] = min(first[i], number[q])
				found++
			}
		}
		rows[i] = make([]float64, i-first[i]+1)
		rows[i][i-first[i]] = sum
		for _, e := range entries[:found] {
			rows[i][e.column-first[i]] = -e.weight
		}
		factor(rows, first, i)
	}
	for i := range n { // L y = right
		solution := right[i*channels : (i+1)*channels]
		for j, l := range rows[i][:i-first[i]] {
			for k := range solution {
				solution[k] -= l * right[(first[i]+j)*channels+k]
			}
		}
		for k := range solution {
			solution[k] /= rows[i][i-first[i]]
		}
	}
	for i := n - 1; i >= 0; i-- { // Lᵀ x = y
		solution := right[i*channels : (i+1)*channels]
		for k := range solution {
			solution[k] /= rows[i][i-first[i]]
		}
		for j, l := range rows[i][:i-first[i]] {
			for k := range solution {
				right[(first[i]+j)*channels+k] -= l * solution[k]
			}
		}
	}
	for i, p := range unknowns {
		for k := range channels {
			at := p*channels + k
			out[at] = float32(right[i*channels+k]) + noise[at]
		}
	}
}

// factor turns row i of A into that of L, once the rows above are.
func factor(rows [][]float64, first []int, i int) {
	row := rows[i]
	for j := first[i]; j < i; j++ {
		from := max(first[i], first[j])
		above := rows[j]
		mine, theirs := row[from-first[i]:j-first[i]], above[from-first[j]:j-first[j]]
		row[j-first[i]] = (row[j-first[i]] - dot(mine, theirs)) / above[j-first[j]]
	}
	left := row[:i-first[i]]
	row[i-first[i]] = math.Sqrt(row[i-first[i]] - dot(left, left))
}

// dot has four sums, since each addition has to wait for the one before.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return s0 + s1 + s2 + s3
}
