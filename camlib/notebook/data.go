package notebook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cifar10"
)

// FullOrQuick returns quick if [Quick], else full: a setting of a notebook in its two modes.
func FullOrQuick[T any](full, quick T) T {
	if Quick() {
		return quick
	}
	return full
}

// CIFAR10 returns CIFAR-10's images: 50,000 to train on and 10,000 to test on. With
// download it fetches them where they are not there. In quick mode, and where they are not
// there and not to be fetched, it is the sample of 1,000, in parts of 800 and 200.
func CIFAR10(download bool) (train, test *cifar10.Dataset) {
	if !Quick() {
		train, test, err := cifar10.Load(cifar10.Options{Download: download})
		if !absent(err) {
			Check(err)
			return train, test
		}
	}
	sample := cifar10.Sample()
	positions := make([]int, sample.Len())
	for i := range positions {
		positions[i] = i * 7 % len(positions) // mixes the classes, which the sample's end has not all of
	}
	return Must(sample.Select(positions[:800]...)), Must(sample.Select(positions[800:]...))
}

// TestImages returns CIFAR-10's 10,000 test images or, in quick mode and where they are not
// there, the 1,000 of the sample. Nothing is fetched.
func TestImages() *cifar10.Dataset {
	if !Quick() {
		test, err := cifar10.LoadSplit(context.Background(), cifar10.Options{}, cifar10.Test)
		if !absent(err) {
			return Must(test, err)
		}
	}
	return cifar10.Sample()
}

// Fetched returns the ONNX file of the network that `camlab fetch` makes by that name. In
// quick mode, and where it is not there, it is another file: nothing is fetched.
func Fetched(name, otherwise string) string {
	if !Quick() {
		path, err := camlib.Fetched(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return Must(path, err)
		}
		fmt.Printf("%s is not here: this is %s. `camlab fetch %s` makes it.\n", name, otherwise, name)
	}
	return otherwise
}

// absent reports whether CIFAR-10 is not there, and says so in the cell.
func absent(err error) bool {
	if !errors.Is(err, cifar10.ErrNoData) {
		return false
	}
	fmt.Println("CIFAR-10 is not here: these are images of camlib's sample. `camlab data --download` fetches all.")
	return true
}
