package folder

import "sync"

// cache holds the first images that are put into it, as many as there is room for.
type cache struct {
	mutex sync.Mutex
	room  int      // for so many more
	held  [][]byte // nil for those that are not held
}

// newCache returns a cache of so many bytes, as [Options.Cache] has it, for n images of a
// length.
func newCache(bytes int64, n, length int) *cache {
	switch bytes {
	case 0:
		bytes = 256 << 20
	case -1:
		bytes = 0
	}
	return &cache{room: int(min(bytes/int64(length), int64(n))), held: make([][]byte, n)}
}

func (c *cache) get(i int) []byte {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.held[i]
}

func (c *cache) put(i int, pixels []byte) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.room > 0 && c.held[i] == nil {
		c.held[i] = pixels
		c.room--
	}
}
