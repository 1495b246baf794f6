package best

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// whitenImages is how many images Whiten looks at, at most.
const whitenImages = 5000

// Whiten sets the first layer to the principal components of a data set's 3×3 patches, as Page
// 2019 (How to Train Your ResNet 8) does: of the 27×27 covariance matrix of all patches of
// the first 5,000 images it takes the 16 eigenvectors e with the largest eigenvalues λ, and
// makes them the kernels ±e/√(λ + 10⁻⁴), with the biases that make their outputs' means 0.
// So each output has a variance of about 1. It fails where there are no images of 3×3 pixels
// and three channels or more.
func Whiten(net *network.Network, ds images.Dataset) error {
	if err := images.CheckDataset(ds); err != nil {
		return fmt.Errorf("best: whiten: %w", err)
	}
	size := ds.Size()
	if size.Channels != 3 || size.Height < 3 || size.Width < 3 {
		return fmt.Errorf("best: whiten: images of %s, want three channels and 3×3 pixels or more", size)
	}
	const n = 27
	mean, cov := make([]float64, n), mat.NewSymDense(n, nil)
	pixels, patch, count := make([]uint8, size.Values()), make([]float64, n), 0.0
	sums := make([]float64, n*n)
	for k := range min(ds.Len(), whitenImages) {
		if err := ds.Read(k, pixels); err != nil {
			return fmt.Errorf("best: whiten: %w", err)
		}
		for i := 0; i+3 <= size.Height; i++ {
			for j := 0; j+3 <= size.Width; j++ {
				for row := range 3 {
					at := ((i+row)*size.Width + j) * 3
					for c := range 9 {
						patch[9*row+c] = float64(pixels[at+c]) / 255
					}
				}
				for a, x := range patch {
					mean[a] += x
					for b := range a + 1 {
						sums[a*n+b] += x * patch[b]
					}
				}
				count++
			}
		}
	}
	for a := range n {
		mean[a] /= count
	}
	for a := range n {
		for b := range a + 1 {
			cov.SetSym(a, b, sums[a*n+b]/count-mean[a]*mean[b])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(cov, true) {
		return fmt.Errorf("best: whiten: the covariance matrix of the patches has no eigenvectors that were found")
	}
	values := eigen.Values(nil) // ascending
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	weights, biases := make([]float32, n*whitened), make([]float32, whitened)
	for k := range whitened / 2 {
		column := n - 1 - k
		scale := 1 / math.Sqrt(values[column]+1e-4)
		offset := 0.0
		for a := range n {
			w := vectors.At(a, column) * scale
			weights[a*whitened+k], weights[a*whitened+whitened/2+k] = float32(w), float32(-w)
			offset += w * mean[a]
		}
		biases[k], biases[whitened/2+k] = float32(-offset), float32(offset)
	}
	if err := net.Store.GetVariable("/whiten/weights").SetValue(tensors.FromFlatDataAndDimensions(weights, 3, 3, 3, whitened)); err != nil {
		return fmt.Errorf("best: whiten: %w", err)
	}
	if err := net.Store.GetVariable("/whiten/biases").SetValue(tensors.FromFlatDataAndDimensions(biases, whitened)); err != nil {
		return fmt.Errorf("best: whiten: %w", err)
	}
	return nil
}
