{
  "format": "cloister-seal",
  "format_version": 1,
  "id": "golden-file",
  "version": 7,
  "files": [
    {
      "name": "000.age",
      "bytes": 304,
      "sha256": "faf73784350b902ceaf861b8574b3514d39d8f195e837ef0a3549bfe9a30ff28"
    },
    {
      "name": "001.age",
      "bytes": 278,
      "sha256": "5db24e2878414e368b0980878ec49b98455fb6df229619eb0bf358e978dd4396"
    }
  ]
}

— example.org/models Jh1BC0+iYq1nc1n1NKfMTaxIaa+C+vJLGg7Rvx68Be22d+1vrt/KXzOLgn7GdiWrJLT9pzi9pl7qu4LnmZf3sYPUugA=
