package article_test

import (
	"fmt"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/backend"
)

func ExamplePretrained() {
	net, err := article.Pretrained()
	if err != nil {
		fmt.Println(err)
		return
	}
	weights, biases, err := article.HeadWeights(net)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(net.Store.NumParameters(), "parameters; head:", len(weights), "weights,", len(biases), "biases")
	// Output: 343594 parameters; head: 1280 weights, 10 biases
}

func ExampleNew() {
	b, err := backend.Go()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := article.New(1).Summary(b, images.Size{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(text)
	// Output:
	// layer   what                                                     output        parameters
	// conv1   3×3 convolution to 32 channels, ReLU                     [32 32 32]    896
	// conv2   3×3 convolution to 32 channels, ReLU                     [32 32 32]    9248
	// conv3   2×2 max-pooling, 3×3 convolution to 128 channels, ReLU   [16 16 128]   36992
	// conv4   3×3 convolution to 128 channels, ReLU                    [16 16 128]   147584
	// conv5   3×3 convolution to 128 channels, ReLU                    [16 16 128]   147584
	// head                                                             [10]          1290
	// all                                                                            343594
}
