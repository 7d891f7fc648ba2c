"""What BIRD 2.0.12 writes on its control socket, as it was seen."""

from __future__ import annotations

SESSIONS = b"""2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     07:47:22.706  \n1006-
1002-isp        BGP        ---        up     07:47:26.662  Established   \n1006-  BGP state:          Established
     Neighbor address: 10.9.0.1
     Neighbor AS:      64500
     Local AS:         64512
     Session:          external AS4
   Channel ipv4
     State:          UP
     Routes:         2 imported, 0 exported, 2 preferred
     Route change stats:     received   rejected   filtered    ignored   accepted
       Import updates:              7          0          0          0          2
       Import withdraws:            1          0        ---          0          1
       Export updates:              2          2          0        ---          0
 \n1002-backup     BGP        ---        start  2026-11-26    Active        Socket: Connection refused
1006-  BGP state:          Active
     Neighbor AS:      64501
 \n0000 \n"""

ROUTES = b"""1007-Table master4:
 45.10.0.0/16         unicast [isp 07:47:29.666] * (100) [AS64511i]
 \tvia 10.9.0.1 on vb
1008-\tType: BGP univ
1012-\tBGP.origin: IGP
 \tBGP.as_path: 64500 64510 64511
 \tBGP.next_hop: 10.9.0.1
 \tBGP.med: 5
 \tBGP.local_pref: 200
 \tBGP.community: (64500,77) (64500,78)
 \tBGP.large_community: (64500, 1, 2)
1007-45.11.0.0/16         unicast [isp 07:47:29.666] * (100) [AS64500i]
 \tvia 10.9.0.1 on vb
1008-\tType: BGP univ
1012-\tBGP.origin: Incomplete
 \tBGP.as_path: \n \tBGP.next_hop: 10.9.0.1
1007-45.12.0.0/16         unicast [isp 07:48:29.666] * (100) [AS64500i]
 \tvia 10.9.0.1 on vb
1008-\tType: BGP univ
1012-\tBGP.origin: Incomplete
 \tBGP.as_path: \n \tBGP.next_hop: 10.9.0.1
1007-45.13.0.0/16         blackhole [static1 07:48:29.666] * (200)
1008-\tType: static univ
0000 \n"""

NO_ROUTES = b"1007-Table master6:\n0000 \n"
FAULT = b"9001 syntax error, unexpected CF_SYM_UNDEFINED, expecting CF_SYM_KNOWN or ALL\n"
