package picture

import "encoding/binary"

// Of all that EXIF holds, one number is seen: which side is up. It is the tag
// 0x0112 of the first directory, 1 to 8, 1 being as stored (Exif 3.0, section
// 4.6.5). The rest is not read.

const (
	tagOrientation = 0x0112
	typeShort      = 3
	maxTags        = 1_000
)

// orientation reads the number from a TIFF structure, 0 if there is none.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(tiff[4:]))
	if at < 8 || at+2 > int64(len(tiff)) {
		return 0
	}
	tags := tiff[at:]
	n := int(order.Uint16(tags))
	tags = tags[2:]
	for range min(n, maxTags) {
		if len(tags) < 12 {
			return 0
		}
		if order.Uint16(tags) == tagOrientation && order.Uint16(tags[2:]) == typeShort && order.Uint32(tags[4:]) == 1 {
			if o := int(order.Uint16(tags[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 0
		}
		tags = tags[12:]
	}
	return 0
}

// uprightTIFF is a TIFF structure that holds the number and nothing else.
func uprightTIFF(orientation int) []byte {
	return []byte{
		'M', 'M', 0, '*', 0, 0, 0, 8, // one directory, right here
		0, 1, // with one entry
		tagOrientation >> 8, tagOrientation & 0xff, 0, typeShort, 0, 0, 0, 1, 0, byte(orientation), 0, 0, //nolint:gosec // 1 to 8
		0, 0, 0, 0, // and no other directory
	}
}

// turned reports whether a number says anything.
func turned(orientation int) bool { return orientation > 1 && orientation <= 8 }
