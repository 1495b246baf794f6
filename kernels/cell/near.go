package cell

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// near is the name among others that a reader may have meant, or empty.
func near(name string, others []string) string {
	best, least := "", 1+utf8.RuneCountInString(name)/3
	if len(name) < 3 {
		least = 1
	}
	slices.Sort(others)
	for _, other := range others {
		if other == name || other == "_" || other == "" {
			continue
		}
		d := distance(strings.ToLower(name), strings.ToLower(other))
		if d < least || d == least && (best == "" && len(name) >= 3 || best != "" && common(name, other) > common(name, best)) {
			best, least = other, d
		}
	}
	return best
}

// common is the length of what two names begin with.
func common(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// distance is the number of characters to put in, take out, change or swap with
// the next to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		for j := range rows[i] {
			switch {
			case i == 0:
				rows[i][j] = j
			case j == 0:
				rows[i][j] = i
			default:
				cost := 1
				if x[i-1] == y[j-1] {
					cost = 0
				}
				rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
				if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
					rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
				}
			}
		}
	}
	return rows[len(x)][len(y)]
}
