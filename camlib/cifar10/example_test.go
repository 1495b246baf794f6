package cifar10_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/camlab-go/camlab/camlib/cifar10"
)

func ExampleSample() {
	d := cifar10.Sample()
	fmt.Println(d.Len(), "images of the", d.Split, "split")
	for i := range 3 {
		fmt.Println("image", d.Index[i], "is of class", cifar10.Classes[d.Labels[i]])
	}
	// Output:
	// 1000 images of the test split
	// image 0 is of class cat
	// image 1 is of class ship
	// image 2 is of class ship
}

func ExampleDataset_Select() {
	d := cifar10.Sample()
	var frogs []int
	for i, label := range d.Labels {
		if cifar10.Classes[label] == "frog" {
			frogs = append(frogs, i)
		}
	}
	d, err := d.Select(frogs[:3]...)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the first frogs are test images", d.Index)
	// Output: the first frogs are test images [4 5 7]
}

func ExampleDataset_Image() {
	img := cifar10.Sample().Image(0)
	fmt.Println(img.Bounds().Size(), img.At(0, 0))
	// Output: (32,32) {158 112 49 255}
}

func ExampleDataset_Len() {
	fmt.Println(cifar10.Sample().Len())
	// Output: 1000
}

func ExampleDefaultDir() {
	os.Setenv("CAMLAB_DATA", "datasets/cifar10")
	defer os.Unsetenv("CAMLAB_DATA")
	fmt.Println(cifar10.DefaultDir())
	// Output: datasets/cifar10 <nil>
}

func ExampleLoad() {
	train, test, err := cifar10.Load(cifar10.Options{Dir: "no/such/folder"})
	if errors.Is(err, cifar10.ErrNoData) {
		train, test = nil, cifar10.Sample() // enough to look at a trained model
	} else if err != nil {
		log.Fatal(err)
	}
	fmt.Println(train == nil, test.Len())
	// Output: true 1000
}

func ExampleLoadContext() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // as an interrupt would
	_, _, err := cifar10.LoadContext(ctx, cifar10.Options{Dir: "."})
	fmt.Println(errors.Is(err, cifar10.ErrNoData)) // it looks before it reads
	// Output: true
}

func ExampleLoadSplit() {
	_, err := cifar10.LoadSplit(context.Background(), cifar10.Options{}, "validation")
	fmt.Println(err)
	// Output: cifar10: split "validation", want "train" or "test"
}

func ExampleVerify() {
	_, err := cifar10.Verify(context.Background(), "doc.go") // no archive
	var e *cifar10.Error
	if errors.As(err, &e) {
		fmt.Println(e.Kind)
		fmt.Println(err)
	}
	// Output:
	// bad archive
	// cifar10: doc.go: gzip: invalid header, want a gzipped tar archive
}

func ExampleDownload() {
	dir, err := os.MkdirTemp("", "cifar10")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	_, err = cifar10.Download(context.Background(), cifar10.Options{
		Dir:      dir,
		Client:   &http.Client{Transport: http.NewFileTransport(http.Dir(dir))}, // a network without the archive
		Progress: func(done, total int64) { fmt.Printf("\r%3d %%", 100*done/total) },
	})
	fmt.Println(errors.Is(err, cifar10.ErrDownload))
	// Output: true
}
