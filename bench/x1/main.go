package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
	"sort"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	gomlx "github.com/gomlx/gomlx/pkg/ml/context"

	"github.com/camlab-go/camlab/camlib/cnn"
	"github.com/camlab-go/camlab/internal/backend"
)

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	b, err := backend.XLA("cpu")
	if err != nil {
		panic(err)
	}
	m, err := cnn.Pretrained()
	if err != nil {
		panic(err)
	}
	exec, err := gomlx.NewExec(b, m.Context(), func(ctx *gomlx.Context, x *graph.Node) *graph.Node {
		return m.Head(ctx, m.Features(ctx, x))
	})
	if err != nil {
		panic(err)
	}
	v := make([]float32, n*32*32*3)
	for i := range v {
		v[i] = float32(i*7919%1000) / 1000
	}
	var parts []*tensors.Tensor
	for range 1000/n {
		parts = append(parts, tensors.FromFlatDataAndDimensions(v, n, 32, 32, 3))
	}
	for r := range rounds {
		if os.Getenv("PAUSE") != "" {
			time.Sleep(time.Second)
		}
		var each []float64
		start := time.Now()
		for _, p := range parts {
			s := time.Now()
			out, err := exec.Exec(p)
			if err != nil {
				panic(err)
			}
			if _, err := tensors.CopyFlatData[float32](out[0]); err != nil {
				panic(err)
			}
			out[0].MustFinalizeAll()
			each = append(each, time.Since(s).Seconds())
		}
		sec := time.Since(start).Seconds()
		sort.Float64s(each)
		if r > 0 {
			fmt.Printf("%.0f(%.0f–%.0f) ", float64(n*len(parts))/sec, float64(n)/each[len(each)-1], float64(n)/each[0])
		}
	}
	fmt.Println()
}
