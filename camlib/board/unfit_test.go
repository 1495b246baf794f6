package board_test

import (
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestColumnsThatDoNotFit is that gray images of two classes have a board: without what
// takes mosaics of four classes or colors.
func TestColumnsThatDoNotFit(t *testing.T) {
	size := images.Size{Height: 8, Width: 8, Channels: 1}
	pixels := make([]uint8, 4*size.Values())
	for p := range pixels {
		pixels[p] = uint8(p * 37)
	}
	ds, err := images.NewMemory(size, []string{"dark", "light"}, pixels, []int{0, 1, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	net := &network.Network{
		Name: "gray", Store: model.NewStore(),
		Layers: []network.Layer{{Name: "same", Build: func(_ *model.Scope, x *Node) *Node { return x }}},
		Head: func(_ *model.Scope, act *Node) *Node {
			y := ReduceMean(act, 1, 2)
			return Concatenate([]*Node{OneMinus(y), y}, -1)
		},
	}
	b, err := board.NewBoard(t.Context(), backendtest.Go(t), net, ds, board.Options{Methods: []cam.Method{cam.GradCAM{}}, Again: 2, Mosaics: 1})
	if err != nil {
		t.Fatal(err)
	}
	for c, column := range b.Columns {
		want := true
		switch column.Name {
		case "grid-pointing", "pointing", "max-box-acc", "trigger", "completeness": // the last for Grad-CAM
			want = false
		case "randomisation": // there is no weight to draw
			continue
		}
		for _, r := range b.Rows {
			if got := r.Cells[c] != nil; got != want && (r.Name == "gradcam" || !want) {
				t.Errorf("%s of %s: a value is %v, want %v", column.Name, r.Name, got, want)
			}
		}
	}
	if len(b.Rows) != 5 {
		t.Errorf("%d rows, want Grad-CAM and four baselines", len(b.Rows))
	}
}

// TestAttentionIsLeftOut is that a method of attention has no row for a network without.
func TestAttentionIsLeftOut(t *testing.T) {
	var said []string
	table := toyBoard(t, board.Options{
		Methods: []cam.Method{cam.CheferCAM{}, cam.GradCAM{}}, Entries: []board.Entry{}, Progress: func(_, _ int, what string) { said = append(said, what) },
	})
	if len(table.Rows) != 5 || slices.ContainsFunc(table.Rows, func(r board.Row) bool { return r.Name == "chefercam" }) {
		t.Errorf("rows %+v, want Grad-CAM and four baselines", table.Rows)
	}
	if want := "chefercam is left out: board: cam: network toy has no attention; want one"; !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, want) }) {
		t.Errorf("said %q, want %q", said, want)
	}
}
