package chart_test

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/camlib/board/chart"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/internal/pngtext"
)

// small is a board of two methods that are the same but for a factor, and a baseline.
func small() *board.Board {
	estimate := func(mean float64) *metric.Estimate {
		return &metric.Estimate{Mean: mean, Low: mean - 0.1, High: mean + 0.1}
	}
	return &board.Board{
		Columns: []board.Column{{Name: "road", Better: "higher", N: 20}, {Name: "blind", Better: "lower", N: 4}},
		Rows: []board.Row{
			{Name: "gradcam", Cells: []*metric.Estimate{estimate(0.5), estimate(0.25)}},
			{Name: "xgradcam", SameAs: "gradcam", Cells: []*metric.Estimate{estimate(0.5), nil}},
			{Name: "centre", Baseline: true, Cells: []*metric.Estimate{estimate(0.125), estimate(0.75)}},
		},
	}
}

// TestPNG looks at what a picture says of itself: rows, panels, the direction that is good
// and the baseline to beat.
func TestPNG(t *testing.T) {
	data, err := chart.PNG(small(), "road", "blind")
	if err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(bytes.NewReader(data)); err != nil || img.Bounds().Dx() != 880 {
		t.Fatalf("picture %v, %v; want one of 880 pixels' width", img.Bounds(), err)
	}
	text := pngtext.Get(data, pngtext.Description)
	for _, want := range []string{
		"3 rows in 2 panels", "road, n = 20, higher is better: best gradcam 0.5 (0.4 to 0.6)", "xgradcam = gradcam", "best in grey centre 0.125",
		"blind, n = 4, lower is better: best gradcam 0.25 (0.15 to 0.35)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture says %q, want %q in it", text, want)
		}
	}
}

func TestUnknownColumn(t *testing.T) {
	_, err := chart.PNG(small(), "road", "rode")
	if want := `chart: no column "rode" on this board, want some of: road, blind`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
