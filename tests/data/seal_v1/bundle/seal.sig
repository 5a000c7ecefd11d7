{
  "format": "cloister-seal",
  "format_version": 1,
  "id": "golden-bundle",
  "version": 7,
  "files": [
    {
      "name": "000.age",
      "bytes": 512,
      "sha256": "e50e3d1c396dfcb4e92ad82269220122fe638fc3cacadf6980fb2efc0f5841d5"
    },
    {
      "name": "001.age",
      "bytes": 2507,
      "sha256": "ce0eeb901f876b52f3f69dbc7f2aeb27329f3d6398725652beb0b1ff08d87632"
    },
    {
      "name": "002.age",
      "bytes": 23996,
      "sha256": "f945821728eb0557d5beb3a90d64b84edd8ee39abd1eb14f3c3860a3910dd0dd"
    },
    {
      "name": "003.age",
      "bytes": 60821,
      "sha256": "08a2c19545bd803ddc27c55649610b0ceb5a33f219606cfc384adaa15601f78f"
    },
    {
      "name": "004.age",
      "bytes": 1723,
      "sha256": "32620046c263198a8045a51344dc98e4ea96466c8e5e94190b342bc6070c31d6"
    },
    {
      "name": "005.age",
      "bytes": 7809,
      "sha256": "3ada7b98231b9a7958e039f52eeffdb6a538a75ec6f085e578671ffc85ed33ac"
    }
  ]
}

— example.org/models Jh1BC/lxoBPeYkdXsJgK/GjJXjbRxutlROz851At2FE2lC2qxn02ZSH2FF3XvkmvOnG9Ekwb67tyU60VbbwuIE8S8Qc=
