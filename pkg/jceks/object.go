package jceks

// Java's serialization, as much of it as key objects use: the Java Object
// Serialization Specification, chapter 6.

// streamHeader is the magic and version of a serialization stream.
var streamHeader = []byte{0xAC, 0xED, 0x00, 0x05}

// Tags of the things in a stream.
const (
	tagNull         = 0x70
	tagReference    = 0x71
	tagClass        = 0x72
	tagObject       = 0x73
	tagString       = 0x74
	tagArray        = 0x75
	tagBlockData    = 0x77
	tagEndBlockData = 0x78
	tagEnum         = 0x7E
)

// Flags of a class.
const (
	flagWriteMethod    = 0x01
	flagSerializable   = 0x02
	flagExternalizable = 0x04
)

const (
	firstHandle = 0x7E0000
	maxDepth    = 32
)

// class is a class descriptor.
type class struct {
	name   string
	flags  byte
	fields []field
	super  *class
	whole  bool // has been read to its end
}

type field struct {
	code byte // of its type: B C D F I J S Z for primitives, [ or L for objects
	name string
}

// object is an object: its fields that are strings, byte arrays or objects, by name.
type object struct {
	class  *class
	fields map[string]any
}

// is reports whether o is of the named class or of one below it.
func (o *object) is(name string) bool {
	for c := o.class; c != nil; c = c.super {
		if c.name == name {
			return true
		}
	}
	return false
}

// object reads a stream of one object.
func (d *decoder) object() any {
	if string(d.bytes(4)) != string(streamHeader) {
		d.fail("no Java object stands here")
		return nil
	}
	s := stream{decoder: d}
	return s.content(0)
}

// stream reads the things of one stream, which may refer back to each other.
type stream struct {
	*decoder
	handles []any
}

// content reads one thing: nil, a string, a []byte, an *object or, for an enum
// constant, its name.
func (s *stream) content(depth int) any {
	if depth > maxDepth {
		s.fail("objects are nested deeper than %d", maxDepth)
	}
	if s.err != nil {
		return nil
	}
	switch tag := s.uint8(); tag {
	case tagNull:
		return nil
	case tagReference:
		return s.reference()
	case tagString:
		str := s.utf()
		s.handles = append(s.handles, str)
		return str
	case tagArray:
		return s.array(depth)
	case tagEnum:
		s.class(depth)
		n := s.handle()
		name, _ := s.content(depth + 1).(string)
		s.handles[n] = name
		return name
	case tagObject:
		return s.instance(depth)
	default:
		s.fail("the tag %#02x is unknown", tag)
		return nil
	}
}

// handle keeps a place for the thing that is being read.
func (s *stream) handle() int {
	s.handles = append(s.handles, nil)
	return len(s.handles) - 1
}

func (s *stream) reference() any {
	n := int64(s.uint32()) - firstHandle
	if n < 0 || n >= int64(len(s.handles)) {
		s.fail("a reference leads nowhere")
		return nil
	}
	return s.handles[n]
}

// array reads an array of bytes; no key object has another kind.
func (s *stream) array(depth int) any {
	c := s.class(depth)
	n := s.handle()
	if s.err == nil && (c == nil || c.name != "[B") {
		s.fail("an array is not one of bytes")
	}
	b := s.bytes(s.uint32())
	s.handles[n] = b
	return b
}

func (s *stream) instance(depth int) any {
	c := s.class(depth)
	if s.err == nil && c == nil {
		s.fail("an object has no class")
	}
	if s.err != nil {
		return nil
	}
	o := &object{class: c, fields: make(map[string]any)}
	s.handles[s.handle()] = o
	var line []*class
	for ; c != nil; c = c.super {
		line = append(line, c)
	}
	for i := len(line) - 1; i >= 0 && s.err == nil; i-- {
		s.values(line[i], o, depth)
	}
	return o
}

// values reads the fields that one class adds to an object.
func (s *stream) values(c *class, o *object, depth int) {
	if c.flags&flagSerializable == 0 || c.flags&flagExternalizable != 0 {
		s.fail("the class %q writes itself in its own way", c.name)
		return
	}
	for _, f := range c.fields {
		switch f.code {
		case 'B', 'Z':
			s.uint8()
		case 'C', 'S':
			s.uint16()
		case 'I', 'F':
			s.uint32()
		case 'J', 'D':
			s.uint64()
		default:
			o.fields[f.name] = s.content(depth + 1)
		}
	}
	if c.flags&flagWriteMethod != 0 {
		s.annotation(depth)
	}
}

// annotation passes over what a class has written besides its fields.
func (s *stream) annotation(depth int) {
	for s.err == nil {
		switch s.peek() {
		case tagEndBlockData:
			s.uint8()
			return
		case tagBlockData:
			s.uint8()
			s.bytes(uint32(s.uint8()))
		default:
			s.content(depth + 1)
		}
	}
}

func (s *stream) peek() byte {
	tag := s.uint8()
	if s.err == nil {
		s.at--
	}
	return tag
}

// class reads a class descriptor, which is nil at the end of a line of classes.
func (s *stream) class(depth int) *class {
	if depth > maxDepth {
		s.fail("classes are nested deeper than %d", maxDepth)
	}
	if s.err != nil {
		return nil
	}
	switch tag := s.uint8(); tag {
	case tagNull:
		return nil
	case tagReference:
		c, ok := s.reference().(*class)
		if !ok || !c.whole {
			s.fail("a reference to a class leads to something else")
			return nil
		}
		return c
	case tagClass:
	default:
		s.fail("the tag %#02x stands where a class should", tag)
		return nil
	}
	c := &class{name: s.utf()}
	s.uint64() // serialVersionUID
	s.handles = append(s.handles, c)
	c.flags = s.uint8()
	for range s.uint16() {
		if s.err != nil {
			return nil
		}
		f := field{code: s.uint8(), name: s.utf()}
		switch f.code {
		case 'B', 'C', 'D', 'F', 'I', 'J', 'S', 'Z':
		case '[', 'L':
			s.content(depth + 1) // the name of its type
		default:
			s.fail("the field %q has the unknown type %q", f.name, f.code)
		}
		c.fields = append(c.fields, f)
	}
	s.annotation(depth)
	c.super = s.class(depth + 1)
	c.whole = true
	return c
}
